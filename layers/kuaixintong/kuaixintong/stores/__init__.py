"""The only rooms that speak to DynamoDB and SQS."""
