package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"time"
)

// subscriberConfig describes how a subscriber answers.
type subscriberConfig struct {
	Delay time.Duration
	// Answer is "" for 202, "reply" for 200 with an event of another type, "refuse" for 400.
	Answer string
	Times  bool // tell when each event came
}

// subscriber takes events and answers from constants, because it has to cost less than the
// dispatcher that it measures.
type subscriber struct {
	subscriberConfig
	tally
	answer []byte
}

func beginSubscriber(c subscriberConfig) (func() report, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &subscriber{subscriberConfig: c, answer: answers[c.Answer]}
	if s.answer == nil {
		return nil, fmt.Errorf("there is no answer %q", c.Answer)
	}
	if c.Times {
		s.times = map[int64]int64{}
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return func() report {
		r := s.report()
		r.Address = ln.Addr().String()
		return r
	}, nil
}

// replyType is the type of what a subscriber replies with.
const replyType = "com.example.reply"

var answers = map[string][]byte{
	"":       []byte("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"),
	"refuse": []byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
	"reply": []byte("HTTP/1.1 200 OK\r\nce-specversion: 1.0\r\nce-id: r\r\nce-source: " + eventSource + "\r\nce-type: " + replyType +
		"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"),
}

func (s *subscriber) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 8<<10)
	for {
		number, err := s.read(in)
		if err != nil {
			return // the other side closes what it does not need any more
		}
		if s.Times && number >= 0 {
			s.at(number, time.Now())
		}
		if s.Delay > 0 {
			pause(s.Delay)
		}
		s.count.Add(1)
		if _, err := conn.Write(s.answer); err != nil {
			return
		}
	}
}

// read takes one request and returns the event's number, -1 when nobody wants it.
func (s *subscriber) read(in *bufio.Reader) (number int64, err error) {
	number = -1
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return number, err
		}
		if first {
			continue
		}
		if len(line) <= 2 {
			_, err = in.Discard(length)
			return number, err
		}
		if value, ok := headerValue(line, "content-length:"); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return number, err
			}
		} else if value, ok := headerValue(line, "ce-id:"); ok && s.Times {
			if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
				number = n
			}
		}
	}
}
