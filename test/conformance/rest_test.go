package conformance

var pingParts, furtherParts, differenceParts []part
