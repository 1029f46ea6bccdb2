"""The Compute service (Nova's API): servers, flavors, keypairs, hosts."""
