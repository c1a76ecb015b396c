"""What happens inside one replica: messages in, the user's function under its policies, outputs and reports out.

Runs on an asyncio loop that its shell provides. Imports `graph`, `plan` and `link`; knows no Ray.
"""
