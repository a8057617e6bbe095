"""Small inputs on which a version once failed, each from a situation that people reported of other tools."""
