"""CDK constructs of the compaction pipeline, one per module.

`workflow.CompactionWorkflow` stands alone: it deploys the state machine with anybody's own Lambda functions.
The constructs read `state_machines/` and `handlers/` as files and import none of the code that runs on AWS.
"""
