/** The tables of this room. Times are milliseconds since the epoch; `null` is SQL's "not there". */
export interface AccessTables {
  access_key: {
    access_key_id: string;
    /** As it is: SigV4 is symmetric, so the server has to know it. The database file is for its owner only. */
    secret: string;
    account: string;
    user_name: string;
    /** An IAM identity policy, JSON. */
    policy: string;
    /** What was asked for, a JSON list of strings; the policy was made from it. */
    allow: string;
    /** Grows when the secret changes; tokens name it, so that those of an earlier secret are refused. */
    epoch: number;
    created_at: number;
    revoked_at: number | null;
    last_used_at: number | null;
  };
  server_secret: { name: string; value: string };
  secret: {
    account: string;
    region: string;
    name: string;
    /** Encrypted under a key that is made from the server's secret; see `secrets.ts`. */
    sealed: string;
    created_at: number;
    updated_at: number;
  };
}
