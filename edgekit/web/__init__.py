"""A page that chats with a model in a browser, and what serves it on this machine."""
