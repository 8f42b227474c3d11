"""The ASL subset of the state machine: a strict evaluator, and the cases that hold it against AWS's own."""
