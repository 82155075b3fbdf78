package embedded

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// victimDir makes the test binary the process that is killed.
const victimDir = "KURIER_TEST_EMBEDDED_VICTIM"

// victim runs a broker and produces to it, printing each acknowledged offset.
func victim(dir string) {
	b, err := Start(Options{DataDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stdout, "error", err)
		os.Exit(1)
	}
	_ = b.Kfake().CreateTopic("t", 1, nil)
	cl, err := kgo.NewClient(clientOptions(b)...)
	if err != nil {
		fmt.Fprintln(os.Stdout, "error", err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		rec := &kgo.Record{Topic: "t", Value: []byte(strings.Repeat("x", 1+i%3000))}
		cl.Produce(context.Background(), rec, func(rec *kgo.Record, err error) {
			if err != nil {
				fmt.Fprintln(os.Stdout, "error", err)
				return
			}
			fmt.Fprintln(os.Stdout, rec.Offset, len(rec.Value))
		})
		if i%50 == 49 {
			if err := cl.Flush(context.Background()); err != nil {
				fmt.Fprintln(os.Stdout, "error", err)
			}
			if err := commit(cl, "g", "t", int64(i), "a map"); err != nil {
				fmt.Fprintln(os.Stdout, "error", err)
			}
			fmt.Fprintln(os.Stdout, "committed", i)
		}
	}
}

func commit(cl *kgo.Client, group, topic string, offset int64, metadata string) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Offset, rp.Metadata = offset, &metadata
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(context.Background(), cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// Nothing acknowledged is lost to kill -9, and commits are there again.
func TestKill9LosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acked := map[int64]int{}
	var committed int64
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), victimDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			first, second, _ := strings.Cut(lines.Text(), " ")
			number, _ := strconv.Atoi(second)
			switch first {
			case "error":
				t.Errorf("victim: %s", lines.Text())
			case "committed":
				committed = int64(number)
			default:
				offset, err := strconv.ParseInt(first, 10, 64)
				if err != nil {
					t.Fatalf("victim says %q", lines.Text())
				}
				acked[offset] = number
			}
			if n == 400 {
				_ = cmd.Process.Kill() // the rest of its output is read and counts
			}
		}
		_ = cmd.Wait()
	}
	if len(acked) < 1000 {
		t.Fatalf("only %d records were acknowledged", len(acked))
	}
	b := start(t, Options{DataDir: dir})
	cl := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	end := b.Kfake().PartitionInfo("t", 0).HighWatermark
	for read := int64(-1); read < end-1; {
		fetches := cl.PollFetches(testContext(t))
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if size, ok := acked[rec.Offset]; ok && size != len(rec.Value) {
				t.Errorf("offset %d has %d bytes, acknowledged were %d", rec.Offset, len(rec.Value), size)
			}
			delete(acked, rec.Offset)
			read = rec.Offset
		})
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged records are lost", len(acked))
	}
	if c := b.Kfake().GroupInfo("g").Commits["t"][0]; c.Offset < committed || c.Metadata != "a map" {
		t.Errorf("committed %+v, want at least %d", c, committed)
	}
}

// A log that was emptied as far as possible goes on with the next offset after
// clean restarts.
func TestOffsetsAreNeverReused(t *testing.T) {
	dir := t.TempDir()
	for round := range int64(3) {
		b := start(t, Options{DataDir: dir, MaxBytes: 1 << 20, CheckEvery: time.Hour})
		if round == 0 {
			mustCreate(t, b, "t", 1, map[string]string{"retention.ms": "1"})
		}
		cl := client(t, b)
		produce(t, cl, "t", 0, 100, 10)
		if err := commit(cl, "g", "t", 10*(round+1), ""); err != nil {
			t.Fatal(err)
		}
		logs, err := b.keeper.survey(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.keeper.remove(testContext(t), logs, 0); err != nil {
			t.Fatal(err)
		}
		if p := b.Kfake().PartitionInfo("t", 0); p.HighWatermark != 10*(round+1) || p.LogStartOffset != p.HighWatermark-1 {
			t.Errorf("round %d: %+v", round, p)
		}
		req := kmsg.NewPtrDeleteRecordsRequest()
		rt := kmsg.NewDeleteRecordsRequestTopic()
		rt.Topic = "t"
		rp := kmsg.NewDeleteRecordsRequestTopicPartition()
		rp.Offset = -1
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		if resp, err := req.RequestWith(testContext(t), cl); err != nil || resp.Topics[0].Partitions[0].ErrorCode == 0 {
			t.Errorf("a client emptied the log: %v", err)
		}
		cl.Close()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
