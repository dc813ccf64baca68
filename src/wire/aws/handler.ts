import type { HttpHandler } from '../http/context.ts';

/** `POST /`: a form is for STS, whose protocol is older; everything else names its service in `X-Amz-Target`. */
export function createAwsHandler(protocols: { json: HttpHandler; sts: HttpHandler }): HttpHandler {
  return (request, response, context) => {
    const isForm = request.headers['content-type']?.toLowerCase().startsWith('application/x-www-form-urlencoded') === true;
    const choose = isForm && request.headers['x-amz-target'] === undefined ? protocols.sts : protocols.json;
    return choose(request, response, context);
  };
}
