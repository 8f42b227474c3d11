"""The operator's console: the `compaction` command and the one module that knows the APIs behind it."""
