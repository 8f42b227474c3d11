"""The whole machine on one machine: the same state machine and the same handlers, without AWS and without Docker."""
