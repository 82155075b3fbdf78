// Package compose runs docker-compose.yaml without Docker: the file is read as Docker
// Compose reads it, the Dockerfile's steps are carried out, and each service runs in a box
// of its own with the environment, command, ports and mounts that the file gives it, byte
// for byte. Apache Kafka's image is played by the same Kafka release from Maven, configured
// by the KAFKA_* variables in the way that image does it.
//
// The package changes no variable. What a container engine itself adds (HOSTNAME, HOME)
// is added, and the tests compare the rest.
package compose
