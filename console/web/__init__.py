"""The console in a browser: `compaction console`. Pages ask `console`'s APIs and hold no AWS call."""
