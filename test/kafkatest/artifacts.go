package kafkatest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Version is the Apache Kafka that the tests run against. docker-compose.yaml names the
// image of the same version, and a test in test/compose holds the two together.
const Version = "4.4.0"

// pom names the server; Maven copies what it needs. The project itself is never built.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kurier.test</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + Version + `</version></dependency>
  </dependencies>
</project>
`

// downloadTimeout bounds the first, cold download of about 50 MB.
const downloadTimeout = 10 * time.Minute

// Unavailable tells why a real Kafka cannot be started here.
type Unavailable struct{ Reason string }

func (e *Unavailable) Error() string { return "no real Kafka: " + e.Reason }

// Libraries returns the folder that holds Kafka's jars, downloading them at first use
// into the user's cache folder, from where later runs and other processes take them.
// The error is an [*Unavailable] when Java or Maven is missing.
func Libraries(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", &Unavailable{"there is no java on PATH; install a Java 17 runtime (Debian: openjdk-17-jre-headless)"}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache folder: %w", err)
	}
	home := filepath.Join(cache, "kurier-kafka")
	libs := filepath.Join(home, Version)
	if _, err := os.Stat(libs); err == nil {
		return libs, nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("create the cache folder: %w", err)
	}
	unlock, err := Lock(filepath.Join(home, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(libs); err == nil { // another process was faster
		return libs, nil
	}
	return libs, download(ctx, home, libs)
}

// download fills a folder beside libs and renames it, so that libs is complete or absent.
func download(ctx context.Context, home, libs string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return &Unavailable{"Kafka's jars are not in " + libs + " and there is no mvn on PATH to fetch them (Debian: maven)"}
	}
	work, err := os.MkdirTemp(home, "download-")
	if err != nil {
		return fmt.Errorf("create a download folder: %w", err)
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), []byte(pom), 0o644); err != nil {
		return fmt.Errorf("write the pom: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(work, "libs"))
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch Apache Kafka %s with Maven: %w\n%s", Version, err, tail(string(out), 20))
	}
	if err := os.Rename(filepath.Join(work, "libs"), libs); err != nil {
		return fmt.Errorf("keep the downloaded jars: %w", err)
	}
	return nil
}

// Lock takes an exclusive lock on a file, which is made if need be, and waits for whoever
// has it. The kernel gives it back when the process dies.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// tail returns the last n lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
