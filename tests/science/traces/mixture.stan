data {
  int N;
  vector[N] y;
}
parameters {
  vector[2] mu;
  vector<lower=0>[2] sigma;
  simplex[2] theta;
}
model {
  mu ~ normal(0, 5);
  sigma ~ normal(0, 2);
  theta ~ dirichlet([2, 2]');
  for (n in 1 : N)
    target += log_mix(theta[1], normal_lpdf(y[n] | mu[1], sigma[1]),
                      normal_lpdf(y[n] | mu[2], sigma[2]));
}
generated quantities {
  array[N] int z;
  for (n in 1 : N)
    z[n] = 1 + bernoulli_logit_rng(
      log(theta[2]) + normal_lpdf(y[n] | mu[2], sigma[2])
      - log(theta[1]) - normal_lpdf(y[n] | mu[1], sigma[1]));
}
