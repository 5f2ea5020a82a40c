"""The receiver of webhooks: addresses that prove themselves, what is read of a post, the server."""
