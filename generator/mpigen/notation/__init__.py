"""Docker's notations of sizes, subnets and image names."""
