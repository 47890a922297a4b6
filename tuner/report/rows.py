"""The form of what a report says: JSON-ready values by name. Its sections make them, its pages and plots show them."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
