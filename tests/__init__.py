"""The tests, by what they need: unit, services, infra, contract, local."""
