"""What a served token feels like: who asks for what and when, who waits for whom, and what the reader sees."""
