"""Channels on which an AI writes first messages: constructs of the AWS CDK, for any repository.

- `ai_multi_comms.constructs` is what an app's stacks are made of, at synth;
- `lambda_src.processors` is what a processor's code builds on, on a laptop and in Lambda alike;
- `ai_multi_comms.local_cloud` runs an app on one machine, for its tests;
- `ai_multi_comms.kit` holds a channel to what every channel must keep to.
"""
