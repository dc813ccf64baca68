import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEcrHost } from './ecr-host.ts';

test('ECR hosts, and only they', () => {
  const api = (host: string): string | undefined => parseEcrHost(host)?.api.url;
  assert.equal(api('123456789012.dkr.ecr.eu-central-1.amazonaws.com'), 'https://api.ecr.eu-central-1.amazonaws.com/');
  assert.equal(api('123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com'), 'https://ecr-fips.us-gov-west-1.amazonaws.com/');
  assert.equal(api('123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn'), 'https://api.ecr.cn-north-1.amazonaws.com.cn/');
  assert.equal(api('123456789012.dkr-ecr.us-east-1.on.aws'), 'https://ecr.us-east-1.api.aws/');
  assert.equal(api('public.ecr.aws'), 'https://api.ecr-public.us-east-1.amazonaws.com/');
  for (const host of [
    '123.dkr.ecr.us-east-1.amazonaws.com',
    '123456789012.dkr.ecr.us-east-1.example.test',
    '123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example',
    'x.123456789012.dkr.ecr.us-east-1.amazonaws.com',
    '123456789012.dkr.ecr.us-east-1.amazonaws.com.cn',
    '123456789012.dkr.ecr.evil.amazonaws.com',
    '123456789012.dkr.ecr.us-east-1.amazonaws.com:8443',
    '123456789012.dkr.ecr..amazonaws.com',
    'docker.io',
    'ecr.aws',
    'evil.public.ecr.aws',
    '123456789012.dkr.ecr.us-east-1/x.amazonaws.com',
  ]) {
    assert.equal(parseEcrHost(host), undefined, host);
  }
});
