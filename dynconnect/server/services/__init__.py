"""Health and reflection: handlers like any other, over the system schema, for the generation that is live."""
