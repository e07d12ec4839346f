"""What runs inside a TEE, and what talks to it from outside: evidence, sessions with a broker, data sets, results."""
