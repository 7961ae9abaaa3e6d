import { ApiException, CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';

/** The cluster of $KUBECONFIG. */
export const kubeConfig = new KubeConfig();
kubeConfig.loadFromDefault();

export const customObjects: CustomObjectsApi = kubeConfig.makeApiClient(CustomObjectsApi);

export interface Refusal {
  readonly code: number;
  readonly message: string;
}

/** What the API server says of a request that it refuses; undefined where it takes it. */
export async function refusalOf(request: Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await request;
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiException)) throw error;
    const body: unknown = typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
    const message = typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : '';
    return { code: error.code, message };
  }
}
