import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { ACCOUNT, pushImage, useAwsServer, type PushedImage } from '../support/aws-server.ts';
import { requireTool } from '../support/tools.ts';

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

describe('the aws command line', () => {
  const server = useAwsServer();
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-aws-cli-'));
  });
  after(() => rm(folder, { recursive: true }));

  /**
   * Runs a shell script in which `aws` talks to the server: older versions know no AWS_ENDPOINT_URL. `undefined` when
   * there is no aws here.
   */
  async function shell(context: TestContext, script: string, region = 'us-east-1'): Promise<Run | undefined> {
    const aws = requireTool(context, 'aws');
    if (aws === undefined) return undefined;
    const env = {
      PATH: `${dirname(aws)}:${process.env['PATH']}`,
      HOME: folder,
      AWS_ACCESS_KEY_ID: server().credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server().credentials.secretAccessKey,
      AWS_DEFAULT_REGION: region,
      AWS_PAGER: '',
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    const prelude = `aws() { command aws --endpoint-url ${server().endpoint} "$@"; }\n`;
    return new Promise((resolve) => {
      execFile('/bin/sh', ['-c', prelude + script], { env, timeout: 120_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 255, stdout, stderr });
      });
    });
  }

  function json(run: Run): Record<string, unknown> {
    assert.equal(run.code, 0, run.stderr);
    return JSON.parse(run.stdout) as Record<string, unknown>;
  }

  async function wire(path: string, init: Omit<RequestInit, 'headers'> & { headers: Record<string, string> }): Promise<Response> {
    const { authorizationData } = await server().ecr.getAuthorizationToken({});
    return fetch(`${server().endpoint}/v2/${path}`, {
      ...init,
      headers: { ...init.headers, Authorization: `Basic ${authorizationData?.[0]?.authorizationToken}` },
    });
  }

  test('who am I', async (context) => {
    const run = await shell(context, 'aws sts get-caller-identity');
    if (run === undefined) return;
    assert.deepEqual(json(run), {
      UserId: server().credentials.accessKeyId,
      Account: ACCOUNT,
      Arn: `arn:aws:iam::${ACCOUNT}:user/admin`,
    });
  });

  // "latestタグ絶対禁止!?", 2019: the commands as they are printed there.
  test('an immutable repository, as in the article', async (context) => {
    const created = await shell(
      context,
      'aws ecr create-repository --repository-name immutable-repo --image-tag-mutability IMMUTABLE',
    );
    if (created === undefined) return;
    const { repository } = json(created) as { repository: Record<string, unknown> };
    assert.equal(repository['repositoryArn'], `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/immutable-repo`);
    assert.equal(repository['registryId'], ACCOUNT);
    assert.equal(repository['repositoryName'], 'immutable-repo');
    assert.equal(repository['repositoryUri'], `${server().host}/immutable-repo`);
    assert.equal(repository['imageTagMutability'], 'IMMUTABLE');

    const changed = await shell(
      context,
      'aws ecr put-image-tag-mutability --repository-name immutable-repo --image-tag-mutability IMMUTABLE',
    );
    assert.deepEqual(changed && json(changed), {
      registryId: ACCOUNT,
      repositoryName: 'immutable-repo',
      imageTagMutability: 'IMMUTABLE',
    });

    const first = await pushImage(server().ecr, 'immutable-repo', 'hamako0001', 'latest');
    const described = await shell(context, 'aws ecr describe-images --repository-name immutable-repo');
    const { imageDetails } = (described && json(described)) as { imageDetails: Record<string, unknown>[] };
    assert.equal(imageDetails.length, 1);
    assert.equal(imageDetails[0]?.['imageDigest'], first.digest);
    assert.deepEqual(imageDetails[0]?.['imageTags'], ['latest']);

    const second = await pushImage(server().ecr, 'immutable-repo', 'hamako0002', 'other');
    const refused = await wire('immutable-repo/manifests/latest', {
      method: 'PUT',
      body: second.manifest,
      headers: { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' },
    });
    assert.equal(refused.status, 400);
    const { errors } = (await refused.json()) as { errors: { code: string; message: string }[] };
    assert.deepEqual(
      errors.map(({ code, message }) => `${code.toLowerCase().replace('_', ' ')}: ${message}`),
      [
        "tag invalid: The image tag 'latest' already exists in the 'immutable-repo' repository and cannot be overwritten because the repository is immutable.",
      ],
    );
  });

  // "How we went about cleaning house": $(BuildNumber) was a macro of the pipeline there; here it is a command.
  test('retagging through the shell, as in the article', async (context) => {
    const { ecr } = server();
    await ecr.createRepository({ repositoryName: 'my-large-repository' });
    const pushed = await pushImage(ecr, 'my-large-repository', 'built', '20260101.7');
    const script = `
BuildNumber() { echo 20260101.7; }
DevopsEnv=Prod
MANIFEST=$(aws ecr batch-get-image --repository-name my-large-repository --image-ids imageTag=$(BuildNumber) --output text --query 'images[].imageManifest')
aws ecr put-image --repository-name my-large-repository --image-tag \${DevopsEnv}-$(BuildNumber) --image-manifest "$MANIFEST"  `;
    const run = await shell(context, script);
    if (run === undefined) return;
    const { image } = json(run) as { image: { imageId: unknown; imageManifest: string } };
    assert.deepEqual(image.imageId, { imageDigest: pushed.digest, imageTag: 'Prod-20260101.7' });
    assert.equal(image.imageManifest, pushed.manifest);
    const again = await shell(context, script);
    assert.notEqual(again?.code, 0);
    assert.match(
      String(again?.stderr),
      /ImageAlreadyExistsException.*PutImage operation: Image with digest 'sha256:[0-9a-f]{64}' and tag 'Prod-20260101\.7' already exists/,
    );
  });

  test('retagging a manifest of many lines, quotes and other letters', async (context) => {
    const { ecr } = server();
    await ecr.createRepository({ repositoryName: 'many-lines' });
    const { config, layer } = await pushImage(ecr, 'many-lines', 'parts');
    // As skopeo and buildah write it: indented, and without a media type of its own.
    const imageManifest = JSON.stringify(
      {
        schemaVersion: 2,
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 1 },
        layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: 1 }],
        annotations: { note: `it's "quoted" \\ $HOME \`x\` — ключ` },
      },
      undefined,
      3,
    );
    await ecr.putImage({
      repositoryName: 'many-lines',
      imageManifest,
      imageManifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
      imageTag: 'v1',
    });
    const run = await shell(
      context,
      `MANIFEST=$(aws ecr batch-get-image --repository-name many-lines --image-ids imageTag=v1 --output text --query 'images[].imageManifest')
aws ecr put-image --repository-name many-lines --image-tag v2 --image-manifest "$MANIFEST" --query image.imageId`,
    );
    if (run === undefined) return;
    const { imageDetails } = await ecr.describeImages({ repositoryName: 'many-lines', imageIds: [{ imageTag: 'v1' }] });
    assert.deepEqual(json(run), { imageDigest: imageDetails?.[0]?.imageDigest, imageTag: 'v2' });
  });

  test('logging in, the new way and the old', async (context) => {
    const run = await shell(context, 'aws ecr get-login-password');
    if (run === undefined) return;
    assert.equal(run.code, 0, run.stderr);
    const password = run.stdout.trim();
    const login = await fetch(`${server().endpoint}/v2/`, {
      headers: { Authorization: `Basic ${Buffer.from(`AWS:${password}`).toString('base64')}` },
    });
    assert.equal(login.status, 200);

    const old = await shell(context, 'aws ecr get-login --no-include-email --region us-east-1');
    // The second version of the command line has dropped it.
    if (old === undefined || /Invalid choice|argument operation/.test(old.stderr)) return;
    assert.equal(old.code, 0, old.stderr);
    const [, oldPassword = ''] = new RegExp(`^docker login -u AWS -p (\\S+) ${server().endpoint}\\s*$`).exec(old.stdout) ?? [];
    const again = await fetch(`${server().endpoint}/v2/`, {
      headers: { Authorization: `Basic ${Buffer.from(`AWS:${oldPassword}`).toString('base64')}` },
    });
    assert.equal(again.status, 200, old.stdout);
  });

  test('lists are read page by page to their end', async (context) => {
    const { ecr } = server();
    await ecr.createRepository({ repositoryName: 'pages' });
    const pushed: PushedImage[] = [];
    for (let index = 0; index < 3; index++) pushed.push(await pushImage(ecr, 'pages', `image ${index}`, `t${index}`));
    for (const tag of ['a', 'b', 'c'])
      await ecr.putImage({ repositoryName: 'pages', imageManifest: String(pushed[1]?.manifest), imageTag: tag });
    const run = await shell(
      context,
      `set -e
aws ecr list-images --repository-name pages --page-size 2 --query 'imageIds[].imageTag' --output json
aws ecr describe-images --repository-name pages --page-size 2 --query 'sort_by(imageDetails,&imagePushedAt)[].imageDigest' --output json
aws ecr list-images --repository-name pages --max-items 4 --page-size 3 --query 'length(imageIds)' --output json
aws ecr describe-repositories --page-size 1 --query "repositories[?repositoryName=='pages'].repositoryName" --output json`,
    );
    if (run === undefined) return;
    assert.equal(run.code, 0, run.stderr);
    const [tags, digests, four, names] = JSON.parse(`[${run.stdout.trim().replace(/\n(?=[[\d])/g, ',')}]`) as [
      string[],
      string[],
      number,
      string[],
    ];
    assert.deepEqual([...tags].sort(), ['a', 'b', 'c', 't0', 't1', 't2']);
    assert.deepEqual([...digests].sort(), pushed.map(({ digest }) => digest).sort());
    assert.equal(four, 4);
    assert.deepEqual(names, ['pages']);
  });

  test('layers go up from files, and the link brings them down', async (context) => {
    const { ecr } = server();
    await ecr.createRepository({ repositoryName: 'from-files' });
    await writeFile(join(folder, 'part'), 'the bytes of a layer');
    const run = await shell(
      context,
      `set -e
ID=$(aws ecr initiate-layer-upload --repository-name from-files --query uploadId --output text)
aws ecr upload-layer-part --repository-name from-files --upload-id $ID --part-first-byte 0 --part-last-byte 19 --layer-part-blob fileb://${folder}/part --query lastByteReceived
DIGEST=sha256:$(sha256sum ${folder}/part | cut -d' ' -f1)
aws ecr complete-layer-upload --repository-name from-files --upload-id $ID --layer-digests $DIGEST --query layerDigest --output text
aws ecr batch-check-layer-availability --repository-name from-files --layer-digests $DIGEST --query 'layers[].layerAvailability' --output text`,
    );
    if (run === undefined) return;
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^19\nsha256:[0-9a-f]{64}\nAVAILABLE\n$/);
  });

  test('errors are printed as people know them', async (context) => {
    const run = await shell(context, 'aws ecr describe-repositories --repository-names not-there');
    if (run === undefined) return;
    assert.notEqual(run.code, 0);
    assert.match(
      run.stderr,
      new RegExp(
        `An error occurred \\(RepositoryNotFoundException\\) when calling the DescribeRepositories operation: The repository with name 'not-there' does not exist in the registry with id '${ACCOUNT}'`,
      ),
    );
    const elsewhere = await shell(context, 'aws ecr describe-repositories', 'mars-1');
    assert.match(String(elsewhere?.stderr), /valid region/);
  });

  test('a policy from a file is set and deleted', async (context) => {
    await server().ecr.createRepository({ repositoryName: 'with-policy' });
    const policy = {
      Version: '2008-10-17',
      Statement: [
        {
          Sid: 'pull',
          Effect: 'Allow',
          Principal: { AWS: [`arn:aws:iam::${ACCOUNT}:root`] },
          Action: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        },
      ],
    };
    await writeFile(join(folder, 'policy.json'), JSON.stringify(policy));
    const run = await shell(
      context,
      `set -e
aws ecr set-repository-policy --repository-name with-policy --policy-text file://${folder}/policy.json >/dev/null
aws ecr get-repository-policy --repository-name with-policy --query policyText --output text
aws ecr delete-repository-policy --repository-name with-policy >/dev/null
aws ecr delete-repository --repository-name with-policy --force --query repository.repositoryName --output text`,
    );
    if (run === undefined) return;
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.stdout, `${JSON.stringify(policy)}\nwith-policy\n`);
  });
});
