/** The kinds of file that are read, each by its own rules. */
export type FileType =
  | 'ecs-task-definition'
  | 'imagedefinitions'
  | 'cloudformation'
  | 'terraform'
  | 'cdk'
  | 'dockerfile'
  | 'compose'
  | 'env'
  | 'kubernetes'
  | 'kustomize'
  | 'helm-values'
  | 'helm-template'
  | 'github-actions'
  | 'gitlab-ci'
  | 'circleci'
  | 'cloudbuild'
  | 'tekton'
  | 'skaffold'
  | 'devcontainer'
  | 'nomad'
  | 'shell'
  | 'makefile'
  | 'yaml'
  | 'json';

/** How the raw bytes of a place spell its text; a new value must be spelled the same way. `plain`: the bytes are the text. */
export type Quoting =
  | 'plain'
  | 'json'
  | 'yaml-plain'
  | 'yaml-double'
  | 'yaml-single'
  | 'hcl'
  | 'js-single'
  | 'js-double'
  | 'js-template';

/** One stretch of a file that holds a reference, or a part of one. */
export interface ReferencePart {
  role: 'reference' | 'registry' | 'repository' | 'tag' | 'digest';
  /** Byte offsets into the file, end exclusive, quotes excluded. `start === end` is an empty value, at the place where it would stand. */
  start: number;
  end: number;
  /** What the bytes say, escapes undone. */
  text: string;
  /** When it differs from the reference's own. */
  quoting?: Quoting;
  /** A digest written without its `sha256:` (the `sha:` key of some Helm charts). */
  bareHex?: true;
}

/**
 * Why a place is listed and never edited.
 * `variable`: has a placeholder. `ignored`: a `pin:ignore` comment. `stage`: names an earlier build stage. `scratch`: the empty
 * image. `built`: made by this very file (compose `build`, skaffold artifacts). `embedded`: a copy inside other data, such as
 * kubectl's last applied configuration. `no-tag`: its tag is left to something else (a chart's version, what Flux finds). `escaped`: spelled with
 * escapes (other than JSON's, which are written anew) or on several lines, so that its bytes are not its text. `not-registry`: names no image in a registry
 * (`aws/codebuild/standard:4.0`). `invalid`: stands where an image must, and is none.
 */
export type SkipReason =
  | 'variable'
  | 'ignored'
  | 'stage'
  | 'scratch'
  | 'built'
  | 'embedded'
  | 'no-tag'
  | 'escaped'
  | 'not-registry'
  | 'invalid';

/** A place in a file where an image reference is written. */
export interface FoundReference {
  fileType: FileType;
  /** 1-based, for people; columns count characters. */
  line: number;
  column: number;
  /** Usually one of role `reference`; for split forms (Helm, Kustomize) one for each key that is there. */
  parts: ReferencePart[];
  /** The reference as one string, put together from the parts. */
  reference: string;
  /** Where it is, for people: `services.web.image`, `FROM #2`. */
  position: string;
  skip?: SkipReason;
  quoting: Quoting;
}

export interface Problem {
  line: number;
  column: number;
  message: string;
}

export interface FileFindings {
  fileType: FileType;
  references: FoundReference[];
  /** Why the file could not be read to its end; a file with problems is left alone. */
  problems: Problem[];
}

export interface FindOptions {
  /** Read `docker run|pull` lines of shell scripts and Makefiles too. */
  shell?: boolean;
  /** For `.env` files: the variables that a compose file beside them uses as a whole image. */
  composeVariables?: ReadonlySet<string>;
}
