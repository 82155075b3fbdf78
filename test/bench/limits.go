package main

import (
	"errors"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// serverConfig is empty: the server only answers.
type serverConfig struct{}

// beginServer is the limit of receiving: fasthttp, which reads each request and answers 202.
func beginServer(serverConfig) (func() report, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &fasthttp.Server{
		Handler:            func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(fasthttp.StatusAccepted) },
		MaxRequestBodySize: 16 << 20, NoDefaultServerHeader: true,
	}
	go func() { _ = server.Serve(ln) }()
	return func() report { return report{Address: ln.Addr().String()} }, nil
}

// clientConfig describes what a bare client posts.
type clientConfig struct {
	Address     string
	Size        int
	Connections int
}

// beginClient is the limit of sending: fasthttp's client, one request after the other on
// each connection, with the headers that a delivered event has.
func beginClient(c clientConfig) (func() report, error) {
	t := &tally{}
	client := &fasthttp.HostClient{Addr: c.Address, MaxConns: c.Connections, DisableHeaderNamesNormalizing: true}
	data := payload(c.Size)
	for range c.Connections {
		go func() {
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			for number := int64(0); ; number++ {
				begin := time.Now()
				fillRequest(req, c.Address, number, data)
				if err := client.Do(req, resp); err != nil {
					t.fail(err.Error())
					return
				}
				if resp.StatusCode()/100 != 2 {
					t.fail(errors.New(string(resp.Header.StatusMessage())).Error())
				}
				t.done(time.Since(begin))
			}
		}()
	}
	return t.report, nil
}

func fillRequest(req *fasthttp.Request, address string, number int64, data []byte) {
	req.Reset()
	req.Header.DisableNormalizing()
	req.Header.SetMethod(fasthttp.MethodPost)
	req.SetRequestURI("http://" + address + "/")
	h := &req.Header
	h.Set("ce-specversion", "1.0")
	h.Set("ce-id", eventID(number))
	h.Set("ce-source", eventSource)
	h.Set("ce-type", eventType)
	h.Set("ce-time", eventTime)
	h.Set("ce-knativebrokerttl", "255")
	h.Set("ce-knativearrivaltime", eventTime)
	h.Set("ce-knativekafkapartition", "7")
	h.Set("ce-knativekafkaoffset", "123456")
	h.SetContentType("application/json")
	req.SetBodyRaw(data)
}
