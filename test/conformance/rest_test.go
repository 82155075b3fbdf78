package conformance

var pingParts, ingressParts, deliveryParts, furtherParts, eventParts, differenceParts []part
