"""The language-model client: any endpoint of the OpenAI kind, its cache, retries, limits and budget. Start at client.py."""
