"""What is in a version, under the name that the changelog promises; it lives in `operate.contents`."""

from operate.contents.contents import Contents

__all__ = ["Contents"]
