"""What the user says.

Functions and classes enter, a frozen and checked `FlowSpec` leaves. Imports errors only; knows no Ray and no asyncio.
"""
