# Write brms.csv: Rscript with_brms.R, where brms and rstan are installed.
library(brms)
rstan::rstan_options(boost_lib = "/usr/include")  # where Debian has it

points <- read.csv("points.csv")
prior <- c(
  prior(normal(0, 5), class = Intercept, dpar = mu1),
  prior(normal(0, 5), class = Intercept, dpar = mu2),
  prior(normal(0, 2), class = sigma1),
  prior(normal(0, 2), class = sigma2),
  prior(dirichlet(2), class = theta))
fit <- brm(
  bf(y ~ 1), points, mixture(gaussian, gaussian, order = "none"), prior,
  chains = 2, iter = 1500, warmup = 500, thin = 10, seed = 1, refresh = 0)
draws <- posterior::as_draws_df(fit)
write.csv(format(as.data.frame(draws), digits = 7, trim = TRUE), "brms.csv",
          row.names = FALSE, quote = FALSE)
print(R.version.string)
print(sapply(c("brms", "rstan", "posterior"), function(p) as.character(packageVersion(p))))
