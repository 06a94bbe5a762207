"""What can be asked of Azure for a Service, by topic: settings, and what must come of each."""

from conformance.azure.tables import addresses, links, probes, rules, security

ALL = (
    *rules.ALL,
    *probes.ALL,
    *security.ALL,
    *addresses.ALL,
    *links.ALL,
)
"""Every setting, each once."""
