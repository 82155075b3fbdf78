package compose

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"kurier.dev/kurier/test/box"
	"kurier.dev/kurier/test/kafkatest"
)

// notProperties are the variables that Apache Kafka's image does not turn into settings.
var notProperties = map[string]bool{
	"KAFKA_VERSION": true, "KAFKA_HEAP_OPTS": true, "KAFKA_LOG4J_OPTS": true, "KAFKA_OPTS": true,
	"KAFKA_JMX_OPTS": true, "KAFKA_JVM_PERFORMANCE_OPTS": true, "KAFKA_GC_LOG_OPTS": true,
	"KAFKA_LOG4J_ROOT_LOGLEVEL": true, "KAFKA_LOG4J_LOGGERS": true,
	"KAFKA_TOOLS_LOG4J_LOGLEVEL": true, "KAFKA_JMX_HOSTNAME": true, "KAFKA_JMX_PORT": true,
}

// serverProperties turns variables into server.properties as the image does: without the
// prefix, in lower case, one underscore is a dot, two are an underscore, three a dash.
func serverProperties(env map[string]string) map[string]string {
	settings := map[string]string{}
	for name, value := range env {
		rest, ok := strings.CutPrefix(name, "KAFKA_")
		if !ok || notProperties[name] {
			continue
		}
		key := strings.ReplaceAll(strings.ToLower(rest), "_", ".")
		key = strings.ReplaceAll(key, "...", "-")
		key = strings.ReplaceAll(key, "..", "_")
		settings[key] = value
	}
	return settings
}

// The paths inside Apache Kafka's image, and its user.
const (
	kafkaUser   = 1000 // appuser
	kafkaHome   = "/opt/kafka"
	kafkaRun    = "/etc-kafka-docker-run" // stands for the image's start script
	kafkaHealth = kafkaHome + "/bin/kafka-broker-api-versions.sh"
)

// javaOptions are for a server that lives for a minute.
const javaOptions = "-Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData"

// kafkaImage makes the stand-in for apache/kafka: Kafka's jars, and two scripts that do what
// the image's own do. config is the text of server.properties.
func kafkaImage(ctx context.Context, root, config string) (*image, error) {
	libs, err := kafkatest.Libraries(ctx)
	if err != nil {
		return nil, err
	}
	mounts, err := box.MachineRoot(root)
	if err != nil {
		return nil, err
	}
	java, err := exec.LookPath("java")
	if err == nil {
		java, err = filepath.EvalSymlinks(java)
	}
	if err != nil {
		return nil, err
	}
	home := filepath.Dir(filepath.Dir(java))
	mounts = append(mounts, box.Mount{Source: libs, Target: kafkaHome + "/libs", ReadOnly: true})
	if !strings.HasPrefix(home, "/usr/") {
		mounts = append(mounts, box.Mount{Source: home, Target: home, ReadOnly: true})
	}
	call := fmt.Sprintf("%s -cp '%s/libs/*' -Dlog4j2.configurationFile=%s/config/log4j2.xml %s",
		java, kafkaHome, kafkaHome, javaOptions)
	files := map[string]string{
		kafkaHome + "/config/server.properties": config,
		kafkaHome + "/config/log4j2.xml":        kafkatest.LogConfig,
		kafkaRun: fmt.Sprintf(`#!/bin/sh -e
%[1]s kafka.tools.StorageTool format --ignore-formatted --cluster-id="$CLUSTER_ID" -c %[2]s/config/server.properties
exec %[1]s kafka.Kafka %[2]s/config/server.properties
`, call, kafkaHome),
		// It succeeds when the broker answers a request of Kafka's protocol: ApiVersions,
		// version 0, correlation 1, no client id; the answer repeats the correlation.
		kafkaHealth: `#!/bin/bash -e
[ "$1" = --bootstrap-server ]
exec 3<>"/dev/tcp/${2%:*}/${2##*:}"
printf '\0\0\0\012\0\022\0\0\0\0\0\001\377\377' >&3
[ "$(head -c 8 <&3 | od -An -tx1 | tr -d ' \n' | cut -c9-16)" = 00000001 ]
`,
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			return nil, err
		}
	}
	return &image{
		root: root, mounts: mounts, uid: kafkaUser, gid: kafkaUser, cmd: []string{kafkaRun},
		env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}, nil
}
