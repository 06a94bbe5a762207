"""Seeds that change what is written on its way into the store."""

from __future__ import annotations

from fixtures.azure.arm.seeds import Seed


def test_fields_that_are_there_are_replaced_in_every_item() -> None:
    body = {"sku": {"name": "Standard"}, "properties": {"probes": [{"properties": {"port": 1}}, {"properties": {}}]}}
    seed = Seed(path="x", write={"sku.name": "Basic", "properties.probes.*.properties.port": 7, "tags.a": "b"})
    assert seed.written(body) == {
        "sku": {"name": "Basic"},
        "properties": {"probes": [{"properties": {"port": 7}}, {"properties": {}}]},
    }


def test_a_body_of_another_shape_stays() -> None:
    seed = Seed(path="x", write={"properties.*.port": 7, "properties.port.number": 7})
    assert seed.written({"properties": {"port": 1}}) == {"properties": {"port": 1}}
    assert seed.written(None) is None
