"""What a version brought, under the name that the changelog promises; it lives in `operate.contents`."""

from operate.contents.merged import what_came, what_merged

__all__ = ["what_came", "what_merged"]
