"""From our picture to OVN's northbound database: a pure translation, and one difference that is applied."""
