"""The one test kit: fake AWS account, clock, event source, fakes of the ports, builders."""
