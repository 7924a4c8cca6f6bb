"""The one test kit: fake AWS account, clock, fakes of the ports, builders."""
