"""What a conversation is: messages, template, response parsing, sessions."""
