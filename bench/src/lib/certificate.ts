import { execFileSync } from 'node:child_process'

/** A key and certificate of the kind that the server makes for itself. */
export function writeCertificate(folder: string): { keyFile: string; certificateFile: string } {
  const [keyFile, certificateFile] = [`${folder}/echo-key.pem`, `${folder}/echo.pem`]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const name = ['-subj', '/CN=localhost', '-days', '2']
  const files = ['-keyout', keyFile, '-out', certificateFile]
  execFileSync('openssl', ['req', '-x509', '-nodes', ...curve, ...name, ...files], {
    stdio: 'ignore',
  })
  return { keyFile, certificateFile }
}
