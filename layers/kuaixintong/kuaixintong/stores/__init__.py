"""The rooms that speak to AWS: DynamoDB, SQS, Secrets Manager, EventBridge, a parameter of Systems Manager and,
for a stack's outputs, CloudFormation. All clients are made here, and AWS's errors become ours here."""
