// SPDX-License-Identifier: Apache-2.0
//
// A CA and its CRL, which were made for certificate.c and are good until 2126. The seeds in its corpus are by
// it.
#ifndef TESTS_FUZZ_CERTIFICATE_CA_H
#define TESTS_FUZZ_CERTIFICATE_CA_H

// clang-format off
#define CA_PEM \
    "-----BEGIN CERTIFICATE-----\n" \
    "MIIBYDCCAQagAwIBAgIUfEdFIf84QufoZUn7uzo4pSmTsfcwCgYIKoZIzj0EAwIw\n" \
    "DTELMAkGA1UEAwwCY2EwIBcNMjYxMTI3MTk0NTA4WhgPMjEyNjExMDMxOTQ1MDha\n" \
    "MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEK6AzzBeA\n" \
    "YVGrtUiDLAXsJtmXcfl2AFL6YlBCuS4s4WQcp8R7wVLcLjRfXWZApklEkfDwFdA9\n" \
    "AccdXtJo+yR/6qNCMEAwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYw\n" \
    "HQYDVR0OBBYEFBkHKuzdZxGWLDaHLFxVkPvt0RNOMAoGCCqGSM49BAMCA0gAMEUC\n" \
    "IQDVHmBkY+NW4TqU/55Hz0eAKIK9Dzc+5ZEhQTPKprWkrAIgWBLzuZ/QxgUVzAxG\n" \
    "9LyTUlEOBZFM/fwZYmexgIvJsxw=\n" \
    "-----END CERTIFICATE-----\n"

#define CRL_PEM \
    "-----BEGIN X509 CRL-----\n" \
    "MIGpMFEwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EXDTI2MTEyNzE5NDUwOFoY\n" \
    "DzIxMjYxMTAzMTk0NTA4WjAUMBICAQwXDTI2MTEyNzE5NDUwOFowCgYIKoZIzj0E\n" \
    "AwIDSAAwRQIhALzD0X2gpzYl9N3SQFLcxMT4A4Dzr41G5hNzTuSzaHfdAiBilpKo\n" \
    "DGTD/bTmrTSoPVdXNzka9Nsvnw9b9pRtR1eKIw==\n" \
    "-----END X509 CRL-----\n"
// clang-format on

#endif
