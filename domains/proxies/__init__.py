"""Proxies that predict a quantized network's accuracy, evolved as expressions over per-layer statistics (EMQ)."""

from domains.proxies.domain import Proxies

__all__ = ["Proxies"]
