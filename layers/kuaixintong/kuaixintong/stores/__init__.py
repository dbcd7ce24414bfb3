"""The only rooms that speak to AWS: DynamoDB, SQS, Secrets Manager and, for a stack's outputs, CloudFormation."""
