"""Promises about which of a Service's pods traffic goes to: policies for inside and outside, and distribution."""
