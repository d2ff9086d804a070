// Calls a server by the client that oapi-codegen makes of its openapi.json: lists devices, creates a
// fleet, and reads by which codes it is refused. Prints one line for each step.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"

	"seaworthy.dev/openapi-client/seaworthy"
)

func main() {
	if err := run(os.Getenv("SERVER"), os.Getenv("CA_FILE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(server, caFile string) error {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return fmt.Errorf("no certificate in %s", caFile)
	}
	web := &http.Client{
		Timeout:   2 * time.Minute,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}},
	}
	admin, err := connect(server, web, os.Getenv("ADMIN_TOKEN"))
	if err != nil {
		return err
	}
	viewer, err := connect(server, web, os.Getenv("VIEWER_TOKEN"))
	if err != nil {
		return err
	}
	ctx := context.Background()

	limit := 1000
	devices, err := viewer.DevicesListWithResponse(ctx, &seaworthy.DevicesListParams{Limit: &limit})
	if err != nil {
		return err
	}
	if devices.JSON200 == nil {
		return fmt.Errorf("devices: %s", devices.Status())
	}
	for _, device := range devices.JSON200.Items {
		if device.Name != nil {
			fmt.Printf("device %s in %s\n", *device.Name, device.Fleet)
		}
	}

	body := seaworthy.FleetCreateJSONRequestBody{Name: "harbour", Product: "acme", Channel: "stable"}
	made, err := admin.FleetCreateWithResponse(ctx, body)
	if err != nil {
		return err
	}
	if made.JSON201 == nil {
		return fmt.Errorf("fleet: %s %s", made.Status(), made.Body)
	}
	fmt.Printf("made %s, which follows %s\n", made.JSON201.Name, made.JSON201.Follow)

	again, err := admin.FleetCreateWithResponse(ctx, body)
	if err != nil {
		return err
	}
	if again.ApplicationproblemJSON409 == nil {
		return fmt.Errorf("fleet again: %s", again.Status())
	}
	fmt.Printf("refused: %s\n", again.ApplicationproblemJSON409.Code)

	denied, err := viewer.FleetCreateWithResponse(ctx, body)
	if err != nil {
		return err
	}
	if denied.ApplicationproblemJSON403 == nil {
		return fmt.Errorf("viewer: %s", denied.Status())
	}
	fmt.Printf("refused: %s\n", denied.ApplicationproblemJSON403.Code)
	return nil
}

func connect(server string, web *http.Client, token string) (*seaworthy.ClientWithResponses, error) {
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	return seaworthy.NewClientWithResponses(
		server, seaworthy.WithHTTPClient(web), seaworthy.WithRequestEditorFn(authorize))
}
