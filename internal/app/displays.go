package app

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"

	"kurier.dev/kurier/internal/display"
	"kurier.dev/kurier/internal/resources"
)

// displays are the subscribers that kurier dev runs itself: one for each
// Service whose image is an event_display and that SERVICE_URLS does not name.
// They live as long as the process; only the manifests' goroutine starts them.
type displays struct {
	printer *display.Printer
	failed  func(error)
	ctx     context.Context
	running sync.WaitGroup
	urls    map[string]string
}

func (p *process) newDisplays(stop *stopper) *displays {
	ctx, cancel := context.WithCancel(context.Background())
	d := &displays{
		printer: display.NewPrinter(p.options.Out, p.options.Color), ctx: ctx, urls: map[string]string{},
		failed: func(err error) { p.logger.Error("a display is not running", "reason", err) },
	}
	p.displays = d
	stop.add(func(context.Context) error {
		cancel()
		d.running.Wait()
		return nil
	})
	return d
}

// start runs what is missing and adds its address to urls; it reports whether
// it did.
func (d *displays) start(services []resources.Service, urls map[string]string) bool {
	started := false
	for _, service := range services {
		name := service.Namespace + "/" + service.Name
		if _, known := urls[name]; known || !service.Display {
			continue
		}
		server, err := display.New(display.Options{Addr: "127.0.0.1:0", Label: label(service), Printer: d.printer})
		if err != nil {
			d.failed(fmt.Errorf("%s: %w", name, err))
			continue
		}
		d.running.Go(func() {
			if err := server.Run(d.ctx); err != nil {
				d.failed(fmt.Errorf("%s: %w", name, err))
			}
		})
		urls[name] = fmt.Sprintf("http://localhost:%d", server.Addr().(*net.TCPAddr).Port)
		d.urls[name] = urls[name]
		started = true
	}
	return started
}

// label is what stands before a display's lines.
func label(service resources.Service) string {
	return strings.TrimPrefix(service.Namespace+"/", "default/") + service.Name
}
