"""An MCP server over stdio, written with the official package: tools that work, fail, hang, print and end.

Usage: python weather.py [TOOL...]
"""

from __future__ import annotations

import os
import sys
import time
from typing import Optional

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("weather")


def get_weather(city: str) -> dict[str, object]:
    return {"temperature": 21, "condition": "sunny", "place": city}


def forecast(city: str, days: Optional[int] = None) -> str:  # noqa: UP045 - a union with null, as pydantic writes it
    return f"{city}: {days}"


def say(text: str) -> str:
    print("a line of the server's log", file=sys.stderr)
    return text


def fail() -> str:
    raise ToolError("no such place")


def hang() -> str:
    time.sleep(600)
    return "late"


def end() -> str:
    os._exit(3)


TOOLS = {
    get_weather: "Get the weather.",
    forecast: "Say how the weather will be.",
    say: "Say a text again.",
    fail: "Always go wrong.",
    hang: "Never answer.",
    end: "End in the middle of a call.",
}
for function, description in TOOLS.items():
    if function.__name__ in sys.argv[1:] or not sys.argv[1:]:
        server.add_tool(function, description=description)

if __name__ == "__main__":
    server.run(transport="stdio")
