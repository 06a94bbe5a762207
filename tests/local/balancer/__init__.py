"""The emulated load balancer with real packets: namespaces and plain servers, no Kubernetes."""
